"""Dump objects: their names, and how they are read and written in a folder, a volume, a mount or an S3 bucket."""
