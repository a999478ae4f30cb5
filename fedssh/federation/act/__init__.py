"""Changing machines: all steps of a kind in one go. Only look and act call a Shell."""
