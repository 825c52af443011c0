#version 450
// 64 rounds of the PCG hash per invocation.
layout(local_size_x = 256) in;
layout(std430, binding = 0) buffer A { uint a[]; };
void main() {
    uint v = a[gl_GlobalInvocationID.x];
    for (uint k = 0; k < 64; ++k) {
        uint state = v * 747796405u + 2891336453u;
        uint word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
        v = (word >> 22u) ^ word;
    }
    a[gl_GlobalInvocationID.x] = v;
}
