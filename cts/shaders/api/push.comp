#version 450
// Copies 128 bytes of push constants out.
layout(local_size_x = 32) in;
layout(push_constant) uniform Push { uint p[32]; };
layout(std430, binding = 0) buffer O { uint o[]; };
void main() { uint i = gl_LocalInvocationID.x; o[gl_WorkGroupID.x * 32 + i] = p[i]; }
