"""Emotion-LLaMA (Cheng et al., NeurIPS 2024), one implementation from tiny to 7b: docs/emotion_llama.md."""
