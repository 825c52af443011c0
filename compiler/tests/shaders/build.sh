#!/bin/sh
# Rebuilds the committed .spv files from their sources; the tests themselves need no tools.
# Needs glslang-tools, spirv-tools and naga-cli. Run it in this directory.
set -e
for f in *.comp; do
    glslangValidator --quiet --target-env vulkan1.3 -V "$f" -o "${f%.comp}.spv"
    spirv-opt --target-env=vulkan1.3 --scalar-block-layout -O "${f%.comp}.spv" -o "${f%.comp}.opt.spv"
done
# These need a glslang newer than most distributions': set GLSLANG to one of 2025 or later.
for f in *.glsl; do
    "${GLSLANG:-glslangValidator}" --quiet --target-env vulkan1.3 -S comp -V "$f" -o "${f%.glsl}.spv"
done
for f in *.spvasm; do
    spirv-as --target-env "$(sed -n 's/^; target: //p' "$f" | head -n 1)" "$f" -o "${f%.spvasm}.spv"
done
for f in *.wgsl; do
    naga "$f" "${f%.wgsl}.spv"
done
