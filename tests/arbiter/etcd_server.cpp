#include "tests/arbiter/etcd_server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "arbiter/etcd_arbiter.h"

namespace colo::arbiter::test {

namespace fs = std::filesystem;

namespace {

void must(const std::vector<std::string>& command) {
  if (const auto ran = demo::run(command); !ran) throw std::runtime_error(ran.error().text());
}

std::uint16_t client_port(int index) { return static_cast<std::uint16_t>(2379 + 2 * index); }

}  // namespace

Scratch::Scratch() {
  std::string pattern = (fs::temp_directory_path() / "colo-arbiter-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = pattern;
}

Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

fs::path Scratch::file(const std::string& name, const std::string& text) const {
  const fs::path file = path_ / name;
  std::ofstream(file, std::ios::binary) << text;
  ::chmod(file.c_str(), 0600);
  return file;
}

std::string own_ip() {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  return "127." + std::to_string(128 + (pid >> 16 & 127)) + "." + std::to_string(pid >> 8 & 255) +
         "." + std::to_string(pid & 255);
}

Certificates make_certificates(const fs::path& directory, const std::string& server_ip) {
  const auto in = [&](const char* name) { return (directory / name).string(); };
  const auto curve = std::vector<std::string>{"-newkey", "ec", "-pkeyopt",
                                              "ec_paramgen_curve:prime256v1", "-nodes"};
  const auto openssl = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "openssl");
    must(words);
  };
  const auto with_curve = [&](std::vector<std::string> words) {
    words.insert(words.end(), curve.begin(), curve.end());
    openssl(words);
  };
  with_curve({"req", "-x509", "-days", "2", "-subj", "/CN=test CA", "-keyout", in("ca.key"), "-out",
              in("ca.pem")});
  std::ofstream(directory / "extensions") << "subjectAltName=IP:" << server_ip << "\n";
  for (const std::string name : {"server", "client"}) {
    const std::string key = in((name + ".key").c_str());
    const std::string request = in((name + ".csr").c_str());
    with_curve({"req", "-new", "-subj", "/CN=" + name, "-keyout", key, "-out", request});
    openssl({"x509", "-req", "-days", "2", "-in", request, "-CA", in("ca.pem"), "-CAkey",
             in("ca.key"), "-CAcreateserial", "-extfile", in("extensions"), "-out",
             in((name + ".pem").c_str())});
  }
  return {directory / "ca.pem", directory / "server.pem", directory / "server.key",
          directory / "client.pem", directory / "client.key"};
}

EtcdServer::EtcdServer(Options options) : options_(std::move(options)) {
  const std::string ip = own_ip();
  port_ = client_port(options_.index);
  const std::string scheme = options_.tls != nullptr ? "https://" : "http://";
  endpoint_ = scheme + ip + ":" + std::to_string(port_);
  const auto peer = [&](int index) {
    return "http://" + ip + ":" + std::to_string(client_port(index) + 1);
  };
  const auto name = [](int index) { return "m" + std::to_string(index); };
  std::string cluster;
  for (int i = 0; i < options_.members; ++i) {
    const int index = options_.members == 1 ? options_.index : i;
    cluster += (i == 0 ? "" : ",") + name(index) + "=" + peer(index);
  }
  const std::string own_peer = peer(options_.index);
  // clang-format off
  command_ = {"/usr/bin/etcd", "--name", name(options_.index),
              "--data-dir", (options_.directory / name(options_.index)).string(),
              "--listen-client-urls", endpoint_, "--advertise-client-urls", endpoint_,
              "--listen-peer-urls", own_peer, "--initial-advertise-peer-urls", own_peer,
              "--initial-cluster", cluster, "--bcrypt-cost", "4", "--log-level", "error",
              "--initial-cluster-token", "of-" + std::to_string(options_.index * options_.members)};
  // clang-format on
  if (options_.members > 1) command_.back() = "of-all";
  if (const Certificates* tls = options_.tls) {
    for (const std::string& word :
         {std::string("--cert-file"), tls->server_cert.string(), std::string("--key-file"),
          tls->server_key.string(), std::string("--client-cert-auth"),
          std::string("--trusted-ca-file"), tls->ca.string()}) {
      command_.push_back(word);
    }
  }
  start();
}

void EtcdServer::start() {
  auto child = demo::Child::start(
      {command_, -1, options_.directory / ("m" + std::to_string(options_.index) + ".log")});
  if (!child) throw std::runtime_error(child.error().text());
  child_.emplace(std::move(*child));
}

void EtcdServer::stop() const { ::kill(pid(), SIGSTOP); }
void EtcdServer::go_on() const { ::kill(pid(), SIGCONT); }
void EtcdServer::kill() { child_.reset(); }

Result<std::string> EtcdServer::ctl(const std::vector<std::string>& words) const {
  std::vector<std::string> command{"/usr/bin/env", "ETCDCTL_API=3", "etcdctl",
                                   "--endpoints=" + endpoint_};
  if (const Certificates* tls = options_.tls) {
    command.push_back("--cacert=" + tls->ca.string());
    command.push_back("--cert=" + tls->client_cert.string());
    command.push_back("--key=" + tls->client_key.string());
  }
  command.insert(command.end(), words.begin(), words.end());
  return demo::run(command);
}

EtcdSettings settings_of(const std::vector<const EtcdServer*>& servers) {
  EtcdSettings settings;
  for (const EtcdServer* server : servers) settings.endpoints.push_back(server->endpoint());
  settings.timeout = std::chrono::seconds(20);
  return settings;
}

bool ready(const EtcdSettings& settings) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (const std::string& endpoint : settings.endpoints) {
    EtcdArbiter arbiter(settings, "nobody");
    while (!arbiter.probe(endpoint)) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  return true;
}

}  // namespace colo::arbiter::test
