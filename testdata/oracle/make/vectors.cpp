// vectors NAME.prototxt OUT.caffemodel: runs a net of Caffe's forward and backward and writes what it was given and what it
// computed, in the format of oracle/README.md. Inputs are random; those called labelN hold classes below N, cont and sel
// hold 0 and 1, pos what is positive. No gradient is written of inputs whose names begin with label, cont, sel or nod.
// Data layers give their own. Built against libcaffe (CPU_ONLY).
#include <caffe/caffe.hpp>

#include <cstdio>
#include <random>
#include <string>
#include <vector>

using namespace caffe;

static void Put(NetParameter* out, const string& name, const Blob<float>& b, bool diff) {
  LayerParameter* l = out->add_layer();
  l->set_name(name);
  b.ToProto(l->add_blobs(), diff);
}

static bool Starts(const string& s, const char* with) { return s.find(with) == 0; }

// HasNoForce reports a layer type that dies where force_backward asks it for the gradient of an index.
static bool HasNoForce(const LayerParameter& l) {
  const string& t = l.type();
  return l.propagate_down_size() > 0 || t == "Filter" || t == "BatchReindex" || t == "Embed" || t == "InfogainLoss";
}

static string NameOf(const Net<float>& net, const Blob<float>* b) {
  for (int k = 0; k < net.blobs().size(); k++)
    if (net.blobs()[k].get() == b) return net.blob_names()[k];
  return "";
}

int main(int argc, char** argv) {
  ::google::InitGoogleLogging(argv[0]);
  FLAGS_minloglevel = 1;
  Caffe::set_mode(Caffe::CPU);
  Caffe::set_random_seed(1701);
  NetParameter p;
  ReadNetParamsFromTextFileOrDie(argv[1], &p);
  const bool gradients = string(argv[1]).find("nograd") == string::npos;
  bool force = gradients;
  for (int i = 0; i < p.layer_size(); i++) force = force && !HasNoForce(p.layer(i));
  if (force) p.set_force_backward(true);
  Net<float> net(p);
  NetParameter out;
  std::mt19937 rng(7);
  std::uniform_real_distribution<float> u(-1, 1);

  std::vector<string> inputs;
  std::vector<std::vector<float> > given;  // a layer in place overwrites them
  for (int i = 0; i < net.layers().size(); i++) {
    if (string(net.layers()[i]->type()) != "Input") continue;
    for (Blob<float>* b : net.top_vecs()[i]) {
      const string name = NameOf(net, b);
      float* d = b->mutable_cpu_data();
      int classes;
      const bool label = sscanf(name.c_str(), "label%d", &classes) == 1;
      for (int k = 0; k < b->count(); k++) {
        if (label) d[k] = rng() % classes;
        else if (Starts(name, "cont")) d[k] = rng() % 4 != 0;
        else if (Starts(name, "sel")) d[k] = rng() % 2;
        else if (Starts(name, "pos")) d[k] = 0.05f + (u(rng) + 1) / 2;
        else d[k] = u(rng);
      }
      inputs.push_back(name);
      given.push_back(std::vector<float>(d, d + b->count()));
    }
  }
  for (int i = 0; i < net.layers().size(); i++) {  // no parameter is constant
    for (auto& b : net.layers()[i]->blobs()) {
      const bool statistics = string(net.layers()[i]->type()) == "BatchNorm";
      float* d = b->mutable_cpu_data();
      for (int k = 0; k < b->count(); k++) d[k] = statistics ? 0.5f + (u(rng) + 1) / 2 : d[k] + 0.3f * u(rng);
    }
  }
  auto params = [&](const string& prefix, bool diff) {
    for (int i = 0; i < net.layers().size(); i++)
      for (int j = 0; j < net.layers()[i]->blobs().size(); j++)
        Put(&out, prefix + net.layer_names()[i] + "/" + std::to_string(j), *net.layers()[i]->blobs()[j], diff);
  };
  params("param0/", false);
  net.Forward();
  for (Blob<float>* b : net.output_blobs()) {
    const string name = NameOf(net, b);
    int id = 0;
    while (net.blob_names()[id] != name) id++;
    if (gradients && net.blob_loss_weights()[id] == 0)
      for (int k = 0; k < b->count(); k++) b->mutable_cpu_diff()[k] = u(rng);
    Put(&out, "top/" + name, *b, gradients);
  }
  if (gradients) {
    net.ClearParamDiffs();
    net.Backward();
  }
  for (int i = 0; i < inputs.size(); i++) {
    const Blob<float>& b = *net.blob_by_name(inputs[i]);
    Blob<float> c(b.shape());
    caffe_copy(c.count(), given[i].data(), c.mutable_cpu_data());
    if (gradients) caffe_copy(c.count(), b.cpu_diff(), c.mutable_cpu_diff());
    bool diff = gradients;
    for (const char* with : {"label", "cont", "sel", "nod"}) diff = diff && !Starts(inputs[i], with);
    Put(&out, "bottom/" + inputs[i], c, diff);
  }
  params("param/", gradients);
  WriteProtoToBinaryFile(out, argv[2]);
}
