#version 450
// Copies an (inline) uniform block out.
layout(local_size_x = 16) in;
layout(std140, binding = 0) uniform In { uvec4 block[4]; };
layout(std430, binding = 1) buffer O { uint o[]; };
void main() { uint i = gl_LocalInvocationID.x; o[i] = block[i / 4][i % 4]; }
