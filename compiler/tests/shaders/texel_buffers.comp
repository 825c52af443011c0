#version 450
layout(local_size_x = 8) in;
layout(binding = 0) uniform samplerBuffer a;
layout(binding = 1, rgba32f) uniform imageBuffer b;
layout(binding = 2) uniform usamplerBuffer c;
layout(binding = 3, r32ui) uniform uimageBuffer d;
void main() {
    int i = int(gl_GlobalInvocationID.x);
    if (i >= textureSize(a) || i >= imageSize(b)) return;
    imageStore(b, i, texelFetch(a, i) + imageLoad(b, i) + vec4(texelFetch(c, i)));
    imageAtomicAdd(d, i & 1, 1u);
}
