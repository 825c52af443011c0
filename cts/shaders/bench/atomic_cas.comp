#version 450
// Additions of floats to 256 places by compare and swap, as without VK_EXT_shader_atomic_float.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { uint a[]; };
layout(std430, binding = 1) buffer H { uint h[]; };
void main() {
    uint v = a[gl_GlobalInvocationID.x];
    uint at = v & 255u;
    float add = float((v >> 8) & 7u);
    uint old = h[at];
    for (;;) {
        uint seen = atomicCompSwap(h[at], old, floatBitsToUint(uintBitsToFloat(old) + add));
        if (seen == old) {
            break;
        }
        old = seen;
    }
}
