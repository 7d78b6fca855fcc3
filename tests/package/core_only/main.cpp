// A program with nothing of Millrace but its core: the size of a batch, and an order for its samples
// that any other program with this seed shares.
#include <millrace/core/bytes.h>
#include <millrace/core/random.h>
#include <millrace/core/shape.h>

#include <iostream>

int main() {
  const millrace::Shape batch{32, 150, 150, 3};
  const auto bytes =
      static_cast<std::uint64_t>(batch.elements()) * millrace::size_of(millrace::DType::f32);
  std::cout << "a batch of " << batch << " takes " << millrace::Bytes{bytes} << '\n';

  const auto order =
      millrace::permutation(6, millrace::Random(1, 0, 0, millrace::Purpose::shuffle));
  for (const std::uint32_t sample : order) std::cout << sample << ' ';
  std::cout << '\n';
  return millrace::to_string(millrace::Bytes{bytes}) == "8.2 MiB" ? 0 : 1;
}
