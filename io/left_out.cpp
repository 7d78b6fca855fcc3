#include <millrace/io/left_out.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>

#include <algorithm>

namespace millrace {
namespace {

/// More different formats and messages of the system than there are.
constexpr std::size_t kMostGroups = 64;

/// How one, and how several are called.
std::string phrase(LeftOutReason reason, const std::string& what, bool is_one) {
  switch (reason) {
    case LeftOutReason::hidden: return "hidden";
    case LeftOutReason::ending:
      return is_one ? "not an image by its ending" : "not images by their ending";
    case LeftOutReason::content:
      return is_one ? "not an image by its content" : "not images by their content";
    case LeftOutReason::format: return what.empty() ? "of a format that is not read" : what;
    case LeftOutReason::empty: return is_one ? "empty file" : "empty files";
    case LeftOutReason::nowhere: return is_one ? "link to nowhere" : "links to nowhere";
    case LeftOutReason::circle: return is_one ? "link in a circle" : "links in circles";
    case LeftOutReason::unreadable:
      return concat("cannot be read", what.empty() ? "" : ": ", shown(what));
    case LeftOutReason::special:
      return is_one ? "device, pipe or socket" : "devices, pipes or sockets";
    case LeftOutReason::beside:
      return is_one ? "image beside the class folders, so without a class"
                    : "images beside the class folders, so without a class";
    case LeftOutReason::run: return is_one ? "run directory" : "run directories";
    case LeftOutReason::link: return is_one ? "link within an archive" : "links within archives";
    case LeftOutReason::twice:
      return is_one ? "image whose sample has a second image or label"
                    : "images whose samples have a second image or label";
    case LeftOutReason::no_label: return is_one ? "image without a label" : "images without labels";
    case LeftOutReason::no_image:
      return is_one ? "label without an image" : "labels without images";
    case LeftOutReason::label:
      return concat(is_one ? "label without a class" : "labels without a class",
                    what.empty() ? "" : ": ", shown(what));
    case LeftOutReason::beside_shards:
      return is_one ? "file or folder beside the shards" : "files or folders beside the shards";
    case LeftOutReason::shard_again:
      return is_one ? "shard with the file or the name of another one"
                    : "shards with the files or the names of others";
  }
  return "?";
}

}  // namespace

const char* key_of(LeftOutReason reason) noexcept {
  switch (reason) {
    case LeftOutReason::hidden: return "hidden";
    case LeftOutReason::ending: return "not_an_image_by_ending";
    case LeftOutReason::content: return "not_an_image_by_content";
    case LeftOutReason::format: return "format_not_read";
    case LeftOutReason::empty: return "empty";
    case LeftOutReason::nowhere: return "link_to_nowhere";
    case LeftOutReason::circle: return "circle_of_links";
    case LeftOutReason::unreadable: return "cannot_be_read";
    case LeftOutReason::special: return "special_file";
    case LeftOutReason::beside: return "beside_class_folders";
    case LeftOutReason::run: return "run_directory";
    case LeftOutReason::link: return "link_in_archive";
    case LeftOutReason::twice: return "member_twice";
    case LeftOutReason::no_label: return "image_without_label";
    case LeftOutReason::no_image: return "label_without_image";
    case LeftOutReason::label: return "label_without_class";
    case LeftOutReason::beside_shards: return "beside_shards";
    case LeftOutReason::shard_again: return "shard_again";
  }
  return "?";
}

LeftOut::Group& LeftOut::group(LeftOutReason reason, const std::string& what) {
  const auto known = groups_.find({reason, what});
  if (known != groups_.end()) return known->second;
  return groups_[{reason, groups_.size() < kMostGroups ? what : std::string()}];
}

void LeftOut::keep(Group& group, std::string_view name) const {
  std::vector<std::string>& names = group.names;
  const bool is_full = names.size() == most_names_;
  if (most_names_ == 0 || (is_full && name >= names.back())) return;
  names.emplace(std::upper_bound(names.begin(), names.end(), name), name);
  if (is_full) names.pop_back();
}

void LeftOut::add(LeftOutReason reason, std::string_view path, const std::string& what) {
  Group& one = group(reason, what);
  ++one.count;
  keep(one, path);
}

void LeftOut::add(const LeftOut& other) {
  for (const auto& [key, theirs] : other.groups_) {
    Group& ours = group(key.first, key.second);
    ours.count += theirs.count;
    for (const std::string& name : theirs.names) keep(ours, name);
  }
}

std::uint64_t LeftOut::total() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [key, group] : groups_) sum += group.count;
  return sum;
}

std::uint64_t LeftOut::count(LeftOutReason reason) const noexcept {
  std::uint64_t sum = 0;
  for (const auto& [key, group] : groups_) sum += key.first == reason ? group.count : 0;
  return sum;
}

std::vector<std::pair<const char*, std::uint64_t>> LeftOut::counts() const {
  std::vector<std::pair<const char*, std::uint64_t>> all;
  for (const auto& [key, group] : groups_) {  // in the order of their reasons
    const char* const name = key_of(key.first);
    if (all.empty() || all.back().first != name) all.emplace_back(name, 0);
    all.back().second += group.count;
  }
  return all;
}

bool LeftOut::loses_images() const noexcept {
  return count(LeftOutReason::format) + count(LeftOutReason::nowhere) +
             count(LeftOutReason::unreadable) >
         0;
}

std::string LeftOut::summary() const {
  if (groups_.empty()) return {};
  std::string text = concat("left out ", total(), ":");
  const char* divider = " ";
  for (const auto& [key, group] : groups_) {
    text += concat(divider, group.count, ' ', phrase(key.first, key.second, group.count == 1));
    divider = "; ";
    const std::size_t few = std::min(group.names.size(), kFewNames);
    for (std::size_t i = 0; i < few; ++i) text += (i == 0 ? " (" : ", ") + shown(group.names[i]);
    if (few > 0) text += few < group.count ? ", ...)" : ")";
  }
  return text;
}

std::vector<std::string> LeftOut::lines(std::optional<LeftOutReason> only) const {
  std::vector<std::string> all;
  for (const auto& [key, group] : groups_) {
    if (only && key.first != *only) continue;
    for (const std::string& name : group.names) {
      all.push_back(concat(shown(name), ": ", phrase(key.first, key.second, true)));
    }
  }
  return all;
}

}  // namespace millrace
