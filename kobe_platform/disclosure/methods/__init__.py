"""Methods beside suppression: coarsening before it, controlled rounding, noise by cell keys, rules for magnitudes."""
