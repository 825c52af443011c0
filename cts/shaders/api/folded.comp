#version 450
// Floats that are known when a pipeline is made.
layout(local_size_x = 1) in;
layout(constant_id = 0) const float a = 1;
layout(constant_id = 1) const float b = 1;
layout(constant_id = 2) const float tiny = 1;
layout(constant_id = 3) const float zero = 1;
layout(binding = 0) buffer Data { float x[8]; };
void main() {
    precise float product = a * b, sum = a + b;
    x[0] = product;
    x[1] = sum;
    x[2] = a / b;
    x[3] = tiny * 0.5;
    x[4] = a / zero;
    x[5] = sqrt(b);
    x[6] = fma(a, b, b);
    x[7] = float(int(b * 100.0));
}
