#version 450
// Accelerations of n bodies by all others, by tiles of 256 in workgroup memory.
layout(local_size_x = 256) in;
layout(std430, binding = 0) readonly buffer A { vec4 body[]; };
layout(std430, binding = 1) writeonly buffer B { vec4 acceleration[]; };
layout(push_constant) uniform P { uint n; float softening; };
shared vec4 tile[256];
void main() {
    uint i = gl_GlobalInvocationID.x;
    vec3 p = body[i].xyz;
    vec3 sum = vec3(0.0);
    for (uint t = 0; t < n; t += 256) {
        tile[gl_LocalInvocationID.x] = body[t + gl_LocalInvocationID.x];
        barrier();
        for (uint k = 0; k < 256; ++k) {
            vec4 other = tile[k];
            vec3 d = other.xyz - p;
            float inv = inversesqrt(dot(d, d) + softening);
            sum += d * (other.w * inv * inv * inv);
        }
        barrier();
    }
    acceleration[i] = vec4(sum, 0.0);
}
