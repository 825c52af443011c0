#version 450
#extension GL_EXT_shader_explicit_arithmetic_types : require
// 32 rounds of SplitMix64 per invocation: products and shifts of 64 bits.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer A { uint64_t a[]; };
void main() {
    uint64_t s = a[gl_GlobalInvocationID.x], sum = 0;
    for (uint k = 0; k < 32; ++k) {
        s += 0x9e3779b97f4a7c15ul;
        uint64_t z = s;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ul;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebul;
        sum ^= z ^ (z >> 31);
    }
    a[gl_GlobalInvocationID.x] = sum;
}
