"""Models that other people made: their formats, networks and places, all as a `ModelBundle`."""
