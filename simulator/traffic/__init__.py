"""Vehicles: from a recording, or on generated roads."""
