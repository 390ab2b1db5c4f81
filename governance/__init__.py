"""What do reviewers ask for? Artefacts written from what is on record, and controls that hold."""
