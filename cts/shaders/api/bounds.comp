#version 450
// Reads and writes at given places, in bounds or not, of a bound range.
layout(local_size_x = 32) in;
layout(std430, binding = 0) buffer D { uint data[]; };
layout(std430, binding = 1) readonly buffer I { uint at[]; };
layout(std430, binding = 2) buffer O { uint o[]; };
layout(std140, binding = 3) uniform U { uvec4 u[16]; };
layout(push_constant) uniform Push { uint n; uint write; };
void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= n) return;
    if (write != 0) { data[at[i]] = 0xdeadbeef; return; }
    o[i] = data[at[i]];
    o[n + i] = data.length();
    o[2 * n + i] = u[at[i] & 15].x;
}
