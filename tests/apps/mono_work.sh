# application: Mono
# version: mono --version
# needs: mono-runtime mono-mcs
# set: matrix
# options: --memory 2g
cat > m.cs <<'C'
using System; using System.Threading.Tasks; using System.Linq; using System.Diagnostics; using System.IO;
class P { static int Main() { var t = Enumerable.Range(1,8).Select(n => Task.Run(() => Enumerable.Range(1,100000).Sum(x => (long)x*n))).ToArray(); Task.WaitAll(t); Console.WriteLine(t.Sum(x => x.Result)); 
 var p = Process.Start(new ProcessStartInfo("echo","from a child"){RedirectStandardOutput=true,UseShellExecute=false}); Console.Write(p.StandardOutput.ReadToEnd()); p.WaitForExit(); File.WriteAllText("f","x"); try { File.ReadAllText("none"); } catch (FileNotFoundException) { Console.WriteLine("none"); } GC.Collect(); return 7; } }
C
mcs m.cs && mono m.exe; echo $?
