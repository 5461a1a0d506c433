"""What the project promises, as tests: unit (no socket), integration, journeys, attacks."""
