"""From files to canonical media and back: decode, resample, resize, encode losslessly."""
