#include <millrace/io/data_layout.h>

#include <millrace/core/lower_case.h>

#include <algorithm>
#include <array>
#include <utility>

namespace millrace {

std::optional<PartKind> part_named(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, PartKind>, 9> kNames = {
      {{"train", PartKind::training},
       {"training", PartKind::training},
       {"val", PartKind::validation},
       {"valid", PartKind::validation},
       {"validation", PartKind::validation},
       {"dev", PartKind::validation},
       {"eval", PartKind::validation},
       {"test", PartKind::test},
       {"testing", PartKind::test}}};
  const std::string word = lower_case(name);
  const auto found = std::find_if(kNames.begin(), kNames.end(),
                                  [&](const auto& known) { return known.first == word; });
  return found == kNames.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace millrace
