"""`python -m botswain_discord`."""

from botswain_discord.main import main

main()
