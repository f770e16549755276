#!/bin/sh
# What `sudo make install` and `sudo make uninstall` do; run from the repository's root.
#
# Safe to repeat: an installation is brought up to date, a service that runs is restarted, and
# nothing that somebody else wrote is lost. Configuration, state and library are never touched.
set -eu
umask 022 # whoever called may have a closer one; the service's user has to read all of this

venv=/opt/photosortd
lib=/usr/local/lib
doc=/usr/local/share/doc/photosortd
etc=/etc/photosortd
units=$lib/systemd/system
manifest=$lib/photosortd/installed.sha256 # of each file as we put it, to notice what was edited

say() { echo "  $*"; }
die() { echo "make $action: $*" >&2; exit 1; }
has_systemd() { [ -d /run/systemd/system ]; }

# The service cannot see /home and /root, so its Python must not live there.
find_python() {
  for python in ${SERVICE_PYTHON:-/usr/bin/python3 /usr/local/bin/python3}; do
    "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    case $("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))') in
      /home/* | /root/* | /tmp/*) continue ;;
    esac
    echo "$python"
    return
  done
}

make_venv() {
  [ -z "$(ls -A $venv 2>/dev/null)" ] || [ -e $venv/pyvenv.cfg ] ||
    die "$venv holds something else: move it away first"
  python=$(find_python)
  [ -n "$python" ] || die "no Python 3.11 or newer with venv outside of /home and /root." \
    "Install it: sudo apt install python3 python3-venv (or name one: SERVICE_PYTHON=/path)"
  # One whose Python is gone after an upgrade of the system is made anew.
  $venv/bin/python -c 'import pip' 2>/dev/null || { rm -rf $venv; "$python" -m venv $venv; }
  pip="$venv/bin/python -m pip --disable-pip-version-check --quiet"
  say "installing photosortd into $venv (a minute or two)"
  # With its fields in the journal where they can be built, without them elsewhere.
  if ! { pkg-config --exists libsystemd && $pip install systemd-python; } >/dev/null 2>&1; then
    say "without systemd-python: the journal gets plain lines, not fields. To have them:"
    say "  sudo apt install gcc pkg-config libsystemd-dev python3-dev && sudo make install"
  fi
  wheel=$(mktemp -d)
  trap 'rm -rf "$wheel"' EXIT
  { $pip wheel --no-deps --wheel-dir "$wheel" . && $pip install "$wheel"/*.whl; } ||
    die "pip could not get what it needs (no network?). What was installed before is as it was"
  # The same version may hold other code, as long as it is developed.
  $pip install --no-deps --force-reinstall "$wheel"/*.whl
}

# $1 of the checkout to $2. What was edited there by hand is kept beside, and said.
put() {
  if [ -e "$2" ] && ! cmp -s "$1" "$2" && ! grep -qxF "$(sha256sum "$2")" $manifest; then
    mv --backup=numbered "$2" "$2.edited"
    say "$2 was edited by hand: kept as $2.edited"
    say "  (put your changes into a drop-in: sudo systemctl edit $(basename "$2"))"
  fi
  install -D -m 0644 "$1" "$2"
  sha256sum "$2" >>$manifest
}

put_files() {
  mkdir -p "$(dirname $manifest)"
  touch $manifest # only ever added to: an installation that was interrupted knows its files, too
  put systemd/photosortd.service $units/photosortd.service
  put systemd/photosortd@.service $units/photosortd@.service
  put systemd/user/photosortd.service $lib/systemd/user/photosortd.service
  put systemd/photosortd.sysusers $lib/sysusers.d/photosortd.conf
  put systemd/photosortd.tmpfiles $lib/tmpfiles.d/photosortd.conf
  put docs/install.md $doc/install.md
  put config.example.yaml $etc/config.example.yaml
  if [ "$(systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" -ge 253 ] 2>/dev/null
  then
    put systemd/notify-reload.conf $units/photosortd.service.d/00-notify-reload.conf
    put systemd/notify-reload.conf $units/photosortd@.service.d/00-notify-reload.conf
  fi
  sort -u -o $manifest $manifest
  for command in photosortd photosort-train; do
    ln -sfn $venv/bin/$command /usr/local/bin/$command
  done
}

install_all() {
  make_venv
  put_files
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers $lib/sysusers.d/photosortd.conf
    systemd-tmpfiles --create $lib/tmpfiles.d/photosortd.conf
  fi
  say "commands: photosortd, photosort-train (in /usr/local/bin)"
  say "example configuration: $etc/config.example.yaml"
  if has_systemd; then
    systemctl daemon-reload
    systemctl try-restart photosortd.service 'photosortd@*.service' ||
      say "the service does not start again: see photosortd service status"
    [ -e $etc/config.yaml ] ||
      say "next: sudo photosortd service install --source DCIM --library DIR [--model BUNDLE]"
  else
    say "no systemd runs here: start \`photosortd -c FILE\` with what this machine has"
  fi
}

uninstall_all() {
  if has_systemd; then
    systemctl list-units --all --plain --no-legend 'photosortd@*.service' | cut -d' ' -f1 |
      while read -r unit; do systemctl disable --now "$unit" 2>/dev/null || true; done
    systemctl disable --now photosortd.service 2>/dev/null || true
  fi
  if [ -e $manifest ]; then
    sed 's/^[^ ]*  //' $manifest | sort -u | while read -r file; do
      if sha256sum "$file" 2>/dev/null | grep -qxF -f - $manifest; then rm "$file"
      else [ ! -e "$file" ] || say "left because it was edited: $file"
      fi
    done
    rm $manifest
  fi
  rm -f /etc/systemd/system/photosortd.service.d/10-photosortd.conf \
    /etc/systemd/system/photosortd@*.service.d/10-photosortd.conf
  for command in photosortd photosort-train; do
    case $(readlink /usr/local/bin/$command) in $venv/*) rm /usr/local/bin/$command ;; esac
  done
  if [ -e $venv/pyvenv.cfg ]; then rm -rf $venv; fi
  for directory in $units/photosortd.service.d $units/photosortd@.service.d $doc $etc \
      "$(dirname $manifest)" \
      /etc/systemd/system/photosortd.service.d /etc/systemd/system/photosortd@*.service.d; do
    rmdir "$directory" 2>/dev/null || true
  done
  if has_systemd; then systemctl daemon-reload; fi
  say "left as they are: your library, $etc, /var/lib/photosortd, and the user photosortd"
}

action=${1:-}
case $action in install | uninstall) ;; *) echo "usage: install.sh install | uninstall" >&2; exit 2 ;; esac
[ "$(id -u)" = 0 ] || die "needs root: sudo make $action"
"${action}_all"
