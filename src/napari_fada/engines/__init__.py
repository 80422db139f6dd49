"""Engines answer prompts about one image: llama.cpp, the child process, the scripted one."""
