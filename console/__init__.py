"""What do people look at? The pages of the service: server-rendered, no build step, no network."""
