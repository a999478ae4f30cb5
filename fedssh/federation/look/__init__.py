"""Asking machines what is: nothing here refuses, decides or changes. Only look and act call a Shell."""
