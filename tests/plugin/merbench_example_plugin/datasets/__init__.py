"""Datasets: `weather_diary.py` is `weather-diary`."""
