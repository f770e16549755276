"""What `photosortd check` looks at, one module for each thing that a run will need."""
