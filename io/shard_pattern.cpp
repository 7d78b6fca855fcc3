// Patterns that name shards: WebDataset's braces, which a shell would expand too, and a shell's
// own.

#include <millrace/core/error.h>
#include <millrace/io/shard_files.h>
#include <millrace/io/tar_shards.h>

#include <glob.h>
#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kMost = 1'000'000;

void check_count(std::size_t count, const std::string& pattern) {
  if (count <= kMost) return;
  throw UsageError(concat(pattern, ": stands for more than ", kMost, " files"));
}

/// "000..012" as 000, 001, ..., 012; nothing for another text.
std::optional<std::vector<std::string>> range_in(std::string_view text,
                                                 const std::string& pattern) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return {};
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) return {};
    return value;
  };
  const auto first = number(text.substr(0, dots)), last = number(text.substr(dots + 2));
  if (!first || !last || *last < *first) return {};
  check_count(*last - *first, pattern);
  std::vector<std::string> words;
  for (std::uint64_t i = 0; i <= *last - *first; ++i) {
    const std::string digits = std::to_string(*first + i);
    words.push_back(std::string(dots - std::min(dots, digits.size()), '0') + digits);
  }
  return words;
}

std::vector<std::string> words_in(std::string_view text) {
  std::vector<std::string> words;
  for (;;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    words.emplace_back(text.substr(0, comma));
    if (comma == text.size()) return words;
    text.remove_prefix(comma + 1);
  }
}

/// With what is in braces put in their place; the pattern itself where there are none.
std::vector<std::string> expanded(const std::string& pattern) {
  std::vector<std::string> all = {{}};
  for (std::string_view rest = pattern;;) {
    const std::size_t open = rest.find('{');
    const std::size_t close = open == std::string_view::npos ? open : rest.find('}', open);
    const bool is_end = close == std::string_view::npos;
    const std::string_view before = is_end ? rest : rest.substr(0, open);
    for (std::string& begun : all) begun += before;
    if (is_end) return all;
    const std::string_view inside = rest.substr(open + 1, close - open - 1);
    std::vector<std::string> words = range_in(inside, pattern).value_or(words_in(inside));
    if (words.size() == 1 && words.front() == inside) words.front() = concat('{', inside, '}');
    check_count(words.size() * all.size(), pattern);
    std::vector<std::string> longer;
    for (const std::string& begun : all) {
      for (const std::string& word : words) longer.push_back(begun + word);
    }
    all = std::move(longer);
    rest.remove_prefix(close + 1);
  }
}

void add_matches(const std::string& pattern, std::vector<std::filesystem::path>& shards) {
  glob_t matches{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&matches, ::globfree);
  if (::glob(pattern.c_str(), 0, nullptr, &matches) != 0) return;
  for (std::size_t i = 0; i < matches.gl_pathc; ++i) shards.emplace_back(matches.gl_pathv[i]);
}

}  // namespace

std::vector<std::filesystem::path> shards_matching(const std::string& pattern, LeftOut& left_out) {
  if (pattern.find_first_of("{*?[") == std::string::npos) return {};
  const std::vector<std::string> words = expanded(pattern);
  if (words.size() == 1 && words.front().find_first_of("*?[") == std::string::npos) return {};
  std::vector<std::filesystem::path> shards;
  for (const std::string& word : words) {
    if (word.find_first_of("*?[") == std::string::npos)
      shards.emplace_back(word);
    else
      add_matches(word, shards);
  }
  const bool are_shards = std::all_of(shards.begin(), shards.end(), [](const auto& shard) {
    return is_shard_name(shard.native());
  });
  if (!are_shards) return {};
  return each_shard_once(shards, left_out);
}

std::vector<std::filesystem::path> shards_matching(const std::string& pattern) {
  LeftOut unsaid;
  return shards_matching(pattern, unsaid);
}

}  // namespace millrace
