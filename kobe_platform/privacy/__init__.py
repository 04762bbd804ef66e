"""What keeps values out of Dagster: the error border, the metadata allow-list, an IO manager that refuses, the instance."""
