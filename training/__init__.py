"""Features in, one model bundle out: tuned, calibrated, scaled, validated, gated, registered."""
