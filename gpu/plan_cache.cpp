#include <millrace/gpu/plan_cache.h>

#include <millrace/core/error.h>

#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

namespace millrace::gpu {
namespace {

using nlohmann::json;
constexpr const char* kFormat = "millrace plans 1";

/// to_string() does not say how the padding lies.
std::string key_of(const Convolution& c, Bytes workspace) {
  return concat(to_string(c), ", padding ", c.top, " ", c.left, " ", c.bottom, " ", c.right,
                ", workspace ", workspace.count);
}

bool is_ours(const json& content) {
  return content.is_object() && content.value("format", json()) == kFormat &&
         content.contains("plans") && content["plans"].is_object();
}

/// {"format": ..., "plans": {owner: {key: {"plan": ..., "microseconds": ...}}}}, or null.
json read(const std::filesystem::path& file, std::string& trouble) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return {};
  std::ifstream in(file);
  json content = json::parse(in, nullptr, false);
  if (is_ours(content)) return content;
  trouble = concat(file.string(), ": no file of plans of this program, or a damaged one; ignored");
  return {};
}

bool write_anew(const std::filesystem::path& file, const json& content) {
  const std::filesystem::path part = file.string() + ".part." + std::to_string(getpid());
  std::error_code error;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), error);
  {
    std::ofstream out(part);
    out << content.dump(1) << '\n';
    if (!out.flush()) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) std::filesystem::rename(part, file, error);
  if (!error) return true;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  return false;
}

}  // namespace

PlanCache::PlanCache(std::filesystem::path file, const std::string& device,
                     const std::string& cudnn)
    : file_(std::move(file)), owner_(concat(device, ", cuDNN ", cudnn)) {
  if (file_.empty()) return;
  const json content = read(file_, trouble_);
  if (content.is_null() || !content["plans"].contains(owner_)) return;
  for (const auto& [key, entry] : content["plans"][owner_].items()) {
    if (!entry.is_object() || !entry.value("plan", json()).is_string()) continue;
    const json time = entry.value("microseconds", json());
    entries_[key] = {entry["plan"], time.is_number() ? time.get<double>() : 0};
  }
}

std::optional<PlanCache::Entry> PlanCache::find(const Convolution& convolution,
                                                Bytes workspace) const {
  const auto it = entries_.find(key_of(convolution, workspace));
  if (it == entries_.end()) return std::nullopt;
  return it->second;
}

void PlanCache::keep(const Convolution& convolution, Bytes workspace, const Entry& entry) {
  entries_[key_of(convolution, workspace)] = entry;
  if (!file_.empty()) write();
}

void PlanCache::write() {
  std::string ignored;
  json content = read(file_, ignored);  // others may have written meanwhile
  if (content.is_null()) content = {{"format", kFormat}, {"plans", json::object()}};
  json& ours = content["plans"][owner_];
  if (!ours.is_object()) ours = json::object();
  for (const auto& [key, entry] : entries_) {
    ours[key] = {{"plan", entry.plan}, {"microseconds", entry.microseconds}};
  }
  if (!write_anew(file_, content)) {
    trouble_ = concat(file_.string(), ": plans cannot be kept there; is the folder writable?");
  }
}

}  // namespace millrace::gpu
