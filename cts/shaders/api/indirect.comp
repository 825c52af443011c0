#version 450
// Writes dispatch arguments.
layout(local_size_x = 1) in;
layout(std430, binding = 0) buffer O { uint o[]; };
layout(push_constant) uniform Push { uint at, x, y, z; };
void main() { o[at] = x; o[at + 1] = y; o[at + 2] = z; }
