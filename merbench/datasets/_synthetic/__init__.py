"""How the synthetic set is made: what each channel shows (`cues`), and how it sounds, looks and reads."""
