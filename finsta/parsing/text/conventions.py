class Conventions:
    @classmethod
    def load(cls,n): return cls()
    def apply(self,tree,draft): pass
