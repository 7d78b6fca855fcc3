#pragma once
// Matches the classes of two data sets, or of a data set and a model, by name.

#include <millrace/io/dataset.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// Whether all names are whole numbers, no two of one value: "0", "1", "10" or "07". That is all
/// that IDX files and tables know of their classes.
[[nodiscard]] bool are_numbers(std::span<const std::string> names);

/// In what two names that look alike differ: "in case", "in Unicode form (U+00E9 against U+0065
/// U+0301)", "in spaces"; empty for names that are equal or not alike.
[[nodiscard]] std::string difference(const std::string& a, const std::string& b);

/// Classes that others are matched with.
struct KnownClasses {
  std::vector<std::string> names;
  std::string owner;  ///< for messages: "the model", "data/train"
  /// Whether there must be all of them, as for training; else a set may lack some.
  bool are_all_wanted = false;
};

/// A data set whose classes are those that it was matched with.
struct MatchedClasses {
  std::shared_ptr<const Dataset> dataset;  ///< the same one, where it has them in the same order
  std::vector<std::string> names;          ///< of the classes
};

/// Makes labels of the data set indices into the known classes, by name: in any order, "07" for
/// "7" where both have numbers alone. `where` is the data set's name in messages. `given` are names
/// for numbers, 0, 1 and so on: of the data set, of the known classes, or of both, whichever have
/// nothing but numbers; with them the known names change too.
///
/// Throws Error: the data set has an unknown class (a similar one is named), or one
/// of the two has only numbers and the other names that are not those numbers; UsageError: `given`
/// lacks a number's name, has one twice, or there are no numbers to name.
[[nodiscard]] MatchedClasses match_classes(std::shared_ptr<const Dataset> dataset,
                                           const std::string& where, KnownClasses known,
                                           std::span<const std::string> given = {});

/// Names for the classes of a data set that goes with no other. Throws UsageError as above.
[[nodiscard]] std::shared_ptr<const Dataset> name_classes(std::shared_ptr<const Dataset> dataset,
                                                          const std::string& where,
                                                          std::span<const std::string> given);

}  // namespace millrace
