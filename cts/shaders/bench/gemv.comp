// variant: gemv_f32 E=float PRODUCT(a,b)=((a)*(b))
// variant: gemv_i8 E=int DOT PRODUCT(a,b)=dot4(a,b,0)
#version 450
#extension GL_EXT_spirv_intrinsics : enable
// y = A·x, a row per workgroup, summed up in workgroup memory; n words in a row.
#ifdef DOT
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot4(int a, int b, spirv_literal int format);
#endif
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer A { E a[]; };
layout(std430, binding = 1) readonly buffer X { E x[]; };
layout(std430, binding = 2) writeonly buffer Y { E y[]; };
layout(push_constant) uniform P { uint n; };
shared E part[64];
void main() {
    uint row = gl_WorkGroupID.x, l = gl_LocalInvocationID.x;
    E sum = E(0);
    for (uint k = l; k < n; k += 64) {
        sum += PRODUCT(a[row * n + k], x[k]);
    }
    part[l] = sum;
    barrier();
    for (uint s = 32; s > 0; s >>= 1) {
        if (l < s) {
            part[l] += part[l + s];
        }
        barrier();
    }
    if (l == 0) {
        y[row] = part[0];
    }
}
