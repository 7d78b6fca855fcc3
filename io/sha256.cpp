#include <millrace/io/sha256.h>

#include <millrace/core/error.h>
#include <millrace/io/files.h>

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace millrace {
namespace {

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr std::array<std::uint32_t, 64> kRounds{
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2};

std::uint32_t big_endian(const std::uint8_t* bytes) noexcept {
  return std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U |
         std::uint32_t{bytes[2]} << 8U | std::uint32_t{bytes[3]};
}

}  // namespace

void Sha256::take_block(const std::uint8_t* block) noexcept {
  std::array<std::uint32_t, 64> w{};
  for (std::size_t i = 0; i < 16; ++i) w[i] = big_endian(block + 4 * i);
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ (a >> 3U)) + w[i - 7] +
           (std::rotr(b, 17) ^ std::rotr(b, 19) ^ (b >> 10U));
  }
  auto [a, b, c, d, e, f, g, h] = state_;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                              ((e & f) ^ (~e & g)) + kRounds[i] + w[i];
    const std::uint32_t two =
        (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + one;
    d = c;
    c = b;
    b = a;
    a = one + two;
  }
  const std::array<std::uint32_t, 8> sums{a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < sums.size(); ++i) state_[i] += sums[i];
}

void Sha256::append(std::span<const std::byte> bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t left = bytes.size();
  bytes_ += left;
  while (left > 0) {
    if (filled_ == 0 && left >= block_.size()) {
      take_block(data);
      data += block_.size();
      left -= block_.size();
      continue;
    }
    const std::size_t n = std::min(left, block_.size() - filled_);
    std::copy(data, data + n, block_.begin() + static_cast<std::ptrdiff_t>(filled_));
    data += n;
    left -= n;
    filled_ = (filled_ + n) % block_.size();
    if (filled_ == 0) take_block(block_.data());
  }
}

std::string Sha256::hex() && {
  constexpr std::size_t kLength = 8;  // of the count of bits, which ends the last block
  std::vector<std::byte> end(1, std::byte{0x80});
  while ((filled_ + end.size()) % block_.size() != block_.size() - kLength) {
    end.push_back(std::byte{0});
  }
  const std::uint64_t bits = 8 * bytes_;
  for (int shift = 56; shift >= 0; shift -= 8) end.push_back(static_cast<std::byte>(bits >> shift));
  append(end);
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint32_t part : state_) {
    for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[(part >> shift) & 0xFU];
  }
  return text;
}

std::string sha256_of_file(const std::filesystem::path& path) {
  const RandomAccessFile file(path);
  Sha256 hash;
  std::vector<std::byte> piece(1 << 20);
  for (std::uint64_t at = 0; at < file.size(); at += piece.size()) {
    piece.resize(std::min<std::uint64_t>(piece.size(), file.size() - at));
    file.read_at(at, piece);
    hash.append(piece);
  }
  return std::move(hash).hex();
}

}  // namespace millrace
