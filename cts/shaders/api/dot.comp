#version 450
// Sum of the bytes' products, by hand: a pattern drivers turn into dot products.
layout(local_size_x = 32) in;
layout(std430, binding = 0) readonly buffer A { int a[]; };
layout(std430, binding = 1) readonly buffer B { int b[]; };
layout(std430, binding = 2) buffer O { int o[]; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    int s = 0;
    for (int k = 0; k < 4; ++k) s += bitfieldExtract(a[i], 8 * k, 8) * bitfieldExtract(b[i], 8 * k, 8);
    o[i] = s;
}
