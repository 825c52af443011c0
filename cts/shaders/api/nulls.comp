#version 450
// Reads and writes resources that may be null.
layout(local_size_x = 4) in;
layout(std430, binding = 0) buffer A { uint a[]; };
layout(std140, binding = 1) uniform B { uvec4 b; };
layout(binding = 2) uniform samplerBuffer c;
layout(binding = 3, r32ui) uniform uimage2D d;
layout(std430, binding = 4) buffer O { uint o[]; };
void main() {
    uint i = gl_LocalInvocationID.x;
    o[i] = a[i] + 1;
    a[i] = 5;
    o[4 + i] = b[i] + 1;
    o[8 + i] = uint(texelFetch(c, int(i)).x) + 1;
    o[12 + i] = imageLoad(d, ivec2(i, 0)).x + 1;
    imageStore(d, ivec2(i, 0), uvec4(3));
    o[16 + i] = a.length() + 1;
}
