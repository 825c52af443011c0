#!/usr/bin/env bash
# Compiles the kernels of this folder, of api/ and of bench/ to the committed .spv files. Needs glslangValidator and spirv-as.
#
# A kernel is compiled once under its own name, or once for each line "// variant: NAME DEFINE…" in it; a line
# "// target: ENV" chooses another environment than vulkan1.1. *.spvasm files are assembled ("; target: ENV" likewise).
# api/heap.spv needs instructions that packaged assemblers do not know: `write_module` of compiler/tests/frontend/heap.rs makes it.
set -euo pipefail
cd "$(dirname "$0")"
# *.glsl files need a glslang of 2025 or later: set GLSLANG to it.
for source in *.comp api/*.comp bench/*.comp *.glsl api/*.glsl; do
    folder=$(dirname "$source")
    tool=glslangValidator
    [[ $source != *.glsl ]] || tool="${GLSLANG:-glslangValidator} -S comp"
    target=$(sed -n 's|^// target: ||p' "$source")
    compile() { # compile NAME DEFINE…
        local name=$1
        shift
        $tool -V --quiet --target-env "${target:-vulkan1.1}" "${@/#/-D}" -o "$folder/$name.spv" "$source"
    }
    if grep -q '^// variant: ' "$source"; then
        while read -r -a words; do
            compile "${words[@]}"
        done < <(sed -n 's|^// variant: ||p' "$source")
    else
        compile "$(basename "${source%.*}")"
    fi
done
for source in api/*.spvasm; do
    [ -e "$source" ] || continue
    target=$(sed -n 's|^; target: ||p' "$source")
    spirv-as --target-env "${target:-spv1.3}" -o "${source%.spvasm}.spv" "$source"
done
