// variant: image_blur FORMAT=rgba8
// variant: image_blur_f32 FORMAT=r32f
#version 450
// Mean of 3×3 texels through storage images; beyond the border the border's texel counts.
layout(local_size_x = 16, local_size_y = 16) in;
layout(FORMAT, binding = 0) readonly uniform image2D a;
layout(FORMAT, binding = 1) writeonly uniform image2D b;
void main() {
    ivec2 p = ivec2(gl_GlobalInvocationID.xy), last = imageSize(a) - 1;
    vec4 sum = vec4(0.0);
    for (int j = -1; j <= 1; ++j) {
        for (int i = -1; i <= 1; ++i) {
            sum += imageLoad(a, clamp(p + ivec2(i, j), ivec2(0), last));
        }
    }
    imageStore(b, p, sum / 9.0);
}
