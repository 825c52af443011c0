// variant: spmv_scalar
// variant: spmv_vector ROW_PER_GROUP
#version 450
// y = A·x of a sparse matrix in CSR form: a row per invocation, or a row per 32 invocations.
#ifdef ROW_PER_GROUP
layout(local_size_x = 32) in;
shared float part[32];
#else
layout(local_size_x = 64) in;
#endif
layout(std430, binding = 0) readonly buffer R { uint first[]; };
layout(std430, binding = 1) readonly buffer C { uint column[]; };
layout(std430, binding = 2) readonly buffer V { float value[]; };
layout(std430, binding = 3) readonly buffer X { float x[]; };
layout(std430, binding = 4) writeonly buffer Y { float y[]; };
layout(push_constant) uniform P { uint rows; };
void main() {
#ifdef ROW_PER_GROUP
    uint row = gl_WorkGroupID.x, l = gl_LocalInvocationID.x;
    float sum = 0.0;
    for (uint k = first[row] + l; k < first[row + 1]; k += 32) {
        sum += value[k] * x[column[k]];
    }
    part[l] = sum;
    for (uint s = 16; s > 0; s /= 2) {
        barrier();
        if (l < s) {
            part[l] += part[l + s];
        }
    }
    if (l == 0) {
        y[row] = part[0];
    }
#else
    uint row = gl_GlobalInvocationID.x;
    if (row >= rows) {
        return;
    }
    float sum = 0.0;
    uint end = first[row + 1];
    for (uint k = first[row]; k < end; ++k) {
        sum += value[k] * x[column[k]];
    }
    y[row] = sum;
#endif
}
