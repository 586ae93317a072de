"""Where dump objects lie, and how they are read and written: a folder, a volume or a mount, or a bucket of S3."""
