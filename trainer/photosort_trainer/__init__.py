"""photosort-train: learns a person's own categories from example photos, offline."""
