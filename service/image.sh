#!/bin/sh
# Runs while the image is built, after the dependencies are there: the project itself.
set -eu
uv pip install --no-deps ./src
