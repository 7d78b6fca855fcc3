#pragma once
// A list of types, from which names, numbers and choices are derived, so that a program lists its
// kinds in one place.

#include <array>
#include <cstddef>
#include <type_traits>

namespace millrace {

template <class... Types>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Types);

  /// Where a type stands in the list. One that is not in it does not compile.
  template <class T>
  static constexpr int index_of() {
    static_assert((std::is_same_v<T, Types> || ...), "this type is not in the list");
    int index = 0;
    (void)((std::is_same_v<T, Types> || (++index, false)) || ...);
    return index;
  }
};

/// Calls use.template operator()<T>() with type number `index` of the list, which has so many.
template <class First, class... Rest, class Use>
decltype(auto) with_type_at(TypeList<First, Rest...>, int index, Use&& use) {
  if constexpr (sizeof...(Rest) > 0) {
    if (index > 0) return with_type_at(TypeList<Rest...>{}, index - 1, static_cast<Use&&>(use));
  }
  return use.template operator()<First>();
}

/// What the types of a list call kInfo.
template <class... Types>
constexpr auto infos_of(TypeList<Types...> /*list*/) {
  return std::array{Types::kInfo...};
}

}  // namespace millrace
