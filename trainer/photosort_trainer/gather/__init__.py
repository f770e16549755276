"""More example photos from the web, with their licences: Openverse and Wikimedia Commons.

`apis` asks, `fetching` is polite, `pending` keeps what waits to be looked through, `gathering`
knows the order.
"""
