#version 450
// variant: image_1d IMAGE=uimage1D AT=p.x
// variant: image_2d IMAGE=uimage2D AT=p.xy
// variant: image_2d_array IMAGE=uimage2DArray AT=p
// variant: image_3d IMAGE=uimage3D AT=p
// Reads texel p of an r32ui image, writes a function of value and place back, and counts in a second image by atomics.
layout(local_size_x = 4, local_size_y = 4, local_size_z = 1) in;
layout(binding = 0, r32ui) uniform IMAGE img;
layout(binding = 1, r32ui) uniform uimage2D counts;
layout(push_constant) uniform Push { ivec3 extent; };
void main() {
    ivec3 p = ivec3(gl_GlobalInvocationID);
    if (any(greaterThanEqual(p, extent))) return;
    uint v = imageLoad(img, AT).x;
    imageStore(img, AT, uvec4(v * 3 + p.x + p.y * 100 + p.z * 10000));
    imageAtomicAdd(counts, ivec2(v & 3, 0), 1);
    imageAtomicMax(counts, ivec2(4, 0), v);
    imageAtomicCompSwap(counts, ivec2(5, 0), 0, 77);
    imageAtomicXor(counts, ivec2(6, 0), v);
    imageAtomicMin(counts, ivec2(7, 0), v);
}
