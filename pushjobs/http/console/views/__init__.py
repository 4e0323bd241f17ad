"""The console's pages, a module each: what they read, and what their forms do."""
