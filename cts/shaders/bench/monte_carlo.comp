#version 450
// Points of a random generator inside the circle, 256 per invocation.
layout(local_size_x = 256) in;
layout(std430, binding = 0) writeonly buffer O { uint o[]; };
void main() {
    uint s = gl_GlobalInvocationID.x * 2654435761u + 1u;
    uint inside = 0;
    for (uint k = 0; k < 256; ++k) {
        s ^= s << 13;
        s ^= s >> 17;
        s ^= s << 5;
        float x = float(s >> 16) / 65536.0, y = float(s & 65535u) / 65536.0;
        if (x * x + y * y < 1.0) {
            ++inside;
        }
    }
    o[gl_GlobalInvocationID.x] = inside;
}
